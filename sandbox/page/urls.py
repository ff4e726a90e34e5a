from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("control/", include("sandbox.control.urls"))]
handler404 = "sandbox.control.views.not_found"
