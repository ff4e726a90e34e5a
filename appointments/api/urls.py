"""``/api/v1/…``, the OpenAPI document at ``/api/schema/``, pages to try it at ``/api/docs/``."""

from __future__ import annotations

from csp.decorators import csp_update
from django.templatetags.static import static
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from appointments.api import views

router = SimpleRouter()
for view in (
    views.AppointmentView,
    views.PairView,
    views.MismatchView,
    views.PushView,
    views.RunView,
    views.DeliveryView,
):
    router.register(view.resource, view, basename=f"api-{view.resource}")


class Docs(SpectacularSwaggerSplitView):
    @staticmethod
    def _swagger_ui_favicon() -> str:
        """From here, as all of the page: no other host learns that it was opened."""
        return static("drf_spectacular_sidecar/swagger-ui-dist/favicon-32x32.png")


# Swagger's page sets styles as it runs; everything else stays as strict as on our own pages.
docs = csp_update({"style-src": ["'unsafe-inline'"]})(Docs.as_view(url_name="api-schema"))

urlpatterns = [
    path("v1/", include(router.urls)),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", docs, name="api-docs"),
]
