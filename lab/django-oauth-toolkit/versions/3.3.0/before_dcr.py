"""What django-oauth-toolkit 3.3.0 lacks: registration (the add-on of its users) and a metadata document (ours)."""

from django.http import JsonResponse
from django.urls import path
from oauth_dcr.views import DynamicClientRegistrationView


def metadata(request):
    root = request.build_absolute_uri("/o/")
    return JsonResponse({
        "issuer": root.rstrip("/"), "authorization_endpoint": f"{root}authorize/", "token_endpoint": f"{root}token/",
        "revocation_endpoint": f"{root}revoke_token/", "registration_endpoint": f"{root}register/",
        "response_types_supported": ["code"], "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"]})


urlpatterns = [path(".well-known/oauth-authorization-server/o", metadata),
               path("o/register/", DynamicClientRegistrationView.as_view())]
