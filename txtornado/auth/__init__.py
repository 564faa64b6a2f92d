"""Login by third parties, with OpenID and OAuth (chapter 4.1 of Tornado 2.3's documentation).

The classes are mixins for `RequestHandler`.  ``authenticate_redirect`` or ``authorize_redirect``
sends the user to the provider, ``get_authenticated_user`` receives who comes back; methods like
``twitter_request`` then speak to the provider on the user's behalf.  Every method that waits
returns a Future and takes a ``callback``, too, wherever it stood before Tornado 6.

Protocols: `OpenIDConnectMixin`, `OAuth2Mixin`, `OAuthMixin` (OAuth 1.0a), `OpenIdMixin` (2.0).
Providers: `GoogleOAuth2Mixin`, `FacebookGraphMixin`, `GitHubMixin`, `TwitterMixin`; and those that
are gone, for applications written for them: `GoogleMixin`, `FacebookMixin`, `FriendFeedMixin`,
`YahooMixin`.

A login fails with `AuthError`, never with half a user.  Replies are bound to the browser that
began the login in all applications that have a ``cookie_secret``; see ``auth_strict`` in
`AuthBase`.  Signatures need ``pip install txtornado[auth]``.
"""

from txtornado.auth._base import AuthBase
from txtornado.auth._errors import AuthError
from txtornado.auth._oauth1 import OAuthMixin
from txtornado.auth._oauth2 import OAuth2Mixin
from txtornado.auth._oidc import OpenIDConnectMixin
from txtornado.auth._openid import OpenIdMixin
from txtornado.auth._providers.facebook import FacebookGraphMixin, FacebookMixin
from txtornado.auth._providers.friendfeed import FriendFeedMixin
from txtornado.auth._providers.github import GitHubMixin
from txtornado.auth._providers.google import GoogleMixin, GoogleOAuth2Mixin
from txtornado.auth._providers.twitter import TwitterMixin
from txtornado.auth._providers.yahoo import YahooMixin

__all__ = [
    "AuthBase",
    "AuthError",
    "FacebookGraphMixin",
    "FacebookMixin",
    "FriendFeedMixin",
    "GitHubMixin",
    "GoogleMixin",
    "GoogleOAuth2Mixin",
    "OAuth2Mixin",
    "OAuthMixin",
    "OpenIDConnectMixin",
    "OpenIdMixin",
    "TwitterMixin",
    "YahooMixin",
]
