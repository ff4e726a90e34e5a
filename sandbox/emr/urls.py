"""The FHIR base; no address ends in a slash."""

from __future__ import annotations

from django.urls import include, path, re_path

from sandbox.emr import store, views

KIND = f"({'|'.join(store.TYPES)})"

urlpatterns = [
    re_path(r"^fhir/R4/metadata$", views.metadata),
    re_path(rf"^fhir/R4/{KIND}$", views.collection),
    re_path(rf"^fhir/R4/{KIND}/_search$", views.search_by_post),
    re_path(rf"^fhir/R4/{KIND}/([A-Za-z0-9\-.]{{1,64}})$", views.instance),
    re_path(r"^fhir/R4/.*$", views.unknown),
    path("control/", include("sandbox.control.urls")),
]
handler404 = "sandbox.control.views.not_found"
