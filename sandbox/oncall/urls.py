"""OnCall's addresses at the port's root; every one ends in a slash."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from sandbox.oncall import views

router = SimpleRouter()
router.register("appointments", views.AppointmentViewSet, basename="appointment")
router.register("providers", views.ProviderViewSet, basename="provider")
router.register("contacts", views.ContactViewSet, basename="contact")
router.register("divisions", views.DivisionViewSet, basename="division")

urlpatterns = [
    path("", include(router.urls)),
    path("control/", include("sandbox.control.urls")),
]
handler404 = "sandbox.control.views.not_found"
