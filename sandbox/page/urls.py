"""The page and, beside it, the control API."""

from __future__ import annotations

from django.urls import include, path, re_path

from sandbox.page import views

urlpatterns = [
    path("", views.home),
    path("page.css", views.stylesheet),
    re_path(r"^visits/(?P<system>oncall|emr)/(?P<deed>create)/$", views.visit),
    re_path(
        r"^visits/(?P<system>oncall|emr)/(?P<number>[A-Za-z0-9\-.]{1,64})/"
        r"(?P<deed>change|cancel|vanish)/$",
        views.visit,
    ),
    path("faults/", views.toggle_fault),
    path("mails/forget/", views.forget_mails),
    path("start-over/", views.start_over),
    path("control/", include("sandbox.control.urls")),
]
handler404 = "sandbox.control.views.not_found"
