"""All addresses: sign-in and configuration here, staff pages and webhooks in ``appointments.urls``."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path(
        "accounts/password/done/",
        auth.PasswordChangeDoneView.as_view(),
        name="password_change_done",
    ),
    path("admin/", admin.site.urls),
]
# Until these modules exist.
if find_spec("appointments.api") and find_spec("appointments.api.urls"):
    urlpatterns.append(path("api/", include("appointments.api.urls")))
if find_spec("appointments.urls"):
    urlpatterns.append(path("", include("appointments.urls")))
