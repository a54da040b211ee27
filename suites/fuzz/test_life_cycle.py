"""Clients that are registered, read, updated and deleted in any order (RFC 7592), against a model of what must hold."""

from typing import Any

import hypothesis
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
    run_state_machine_as_test,
)

from dcrcheck import Answer, Client, Endpoint, Fuzzing, Search, hunt, needs, requirement, show
from dcrcheck.strategies import hostile, known_members, ordinary, st, unordered

RUNS, STEPS = 10, 8


@requirement("HARD-REFUSAL-IS-WHOLE", "HARD-CROSS-CLIENT", "RFC7592-2.2-10", "RFC7592-2.3-03", "RFC7592-3-03")
@needs("management")
def test_a_client_is_what_its_last_successful_request_made_it(endpoint: Endpoint):
    """In whatever order clients are registered, read, updated and deleted, each is what its last success made it."""
    hunt(endpoint, "test_a_client_is_what_its_last_successful_request_made_it", live)


def live(endpoint: Endpoint, round_: int) -> None:
    search = Search(endpoint, round_=round_)
    machine = hypothesis.seed(search.seed)(type("LifeCycle", (LifeCycle,), {"endpoint": endpoint, "search": search}))
    settings = search.settings(max_examples=RUNS, stateful_step_count=STEPS)

    search.run(lambda: run_state_machine_as_test(machine, settings=settings))


class LifeCycle(RuleBasedStateMachine):
    """The model: what every living client's metadata is, by the server's own last word."""

    endpoint: Endpoint
    search: Search
    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.search.begin()
        self.story: list[str] = []
        self.living: dict[Client, dict[str, Any]] = {}

    @rule(target=clients, metadata=ordinary())
    def register(self, metadata: dict[str, Any]) -> "Client | MultipleResults[Client]":
        with self.step(f"register {show(metadata)}"):
            answer = self.settled(lambda: self.endpoint.submit(self.endpoint.document(**metadata)))
            if answer.registered is None or answer.registered.registration_client_uri is None:
                return multiple()
            self.living[answer.registered] = described(answer)
        return answer.registered

    @rule(client=clients)
    def read(self, client: Client) -> None:
        with self.step("read"):
            self.compare(client)

    @rule(client=clients, metadata=st.one_of(ordinary(), hostile()))
    def update(self, client: Client, metadata: dict[str, Any]) -> None:
        with self.step(f"update {show(metadata)}, read"):
            answer = self.settled(lambda: self.endpoint.update(client, **metadata))
            if 200 <= answer.status < 300:
                self.living[client] = described(answer)
            self.compare(client)

    @rule(client=consumes(clients))
    def delete(self, client: Client) -> None:
        with self.step("delete, read"):
            answer = self.settled(lambda: self.endpoint.delete(client))
            if not 200 <= answer.status < 300:
                hypothesis.reject()
            del self.living[client]
            after = self.settled(lambda: self.endpoint.read(client))

            assert not 200 <= after.status < 300, f"a deleted client can be read: {after.describe()}"

    def teardown(self) -> None:
        for client in self.living:
            self.read(client)

    def compare(self, client: Client) -> None:
        was, answer = self.living[client], self.settled(lambda: self.endpoint.read(client))

        assert 200 <= answer.status < 300, f"a client that nobody deleted cannot be read: {answer.describe()}"
        read = described(answer)
        assert read == was, "; ".join(f"{name} was {was.get(name)!r} and is read as {read.get(name)!r}"
                                      for name in known_members() if was.get(name) != read.get(name))

    def step(self, words: str):
        self.story.append(words)
        return self.search.step(lambda: f"the shortest story that shows it: {', '.join(self.story)}")

    def settled(self, send: Any) -> Answer:
        """An answer about the request; a failure of the server is not this check's matter."""
        answer: Answer = Fuzzing.of(self.endpoint).unhindered(send)
        if answer.broke_down:
            hypothesis.reject()
        return answer


def described(answer: Answer) -> dict[str, Any]:
    """The metadata in a client information response, lists in no order; what is empty or null counts as absent."""
    members = answer.json if isinstance(answer.json, dict) else {}
    return {name: unordered(members[name]) for name in known_members() if members.get(name)}
