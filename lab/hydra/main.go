// Ory Hydra, built from its Go module: its own main cannot be installed, because its go.mod replaces modules.
package main

import "github.com/ory/hydra/v2/cmd"

func main() {
	cmd.Execute()
}
