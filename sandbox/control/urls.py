"""The control API's addresses; a slash at the end is allowed everywhere."""

from __future__ import annotations

from django.urls import re_path

from sandbox.control import views

KIND = r"(?P<kind>appointments|patients|practitioners|locations)"
RID = r"(?P<rid>[A-Za-z0-9\-.]{1,64})"
NUMBER = r"(?P<number>\d+)"

urlpatterns = [
    re_path(r"^$", views.overview),
    re_path(r"^switches/?$", views.switch_board),
    re_path(r"^switches/help/?$", views.switch_help),
    re_path(r"^faults/?$", views.fault_list),
    re_path(r"^faults/(?P<number>\d+)/?$", views.fault),
    re_path(r"^state/?$", views.whole_state),
    re_path(r"^mails/?$", views.mails),
    re_path(r"^requests/?$", views.requests),
    re_path(r"^deeds/?$", views.deeds),
    re_path(r"^reset/?$", views.clean),
    re_path(r"^seed/?$", views.sow),
    re_path(r"^demo/?$", views.demo),
    re_path(r"^demo/config/?$", views.demo_toml),
    re_path(r"^webhooks/?$", views.webhooks),
    re_path(
        r"^webhooks/(?P<deed>flush|send|deliver|hold|drop|duplicate|reorder)/?$",
        views.webhook_deed,
    ),
    re_path(r"^oncall/appointments/?$", views.oncall_create),
    re_path(rf"^oncall/appointments/{NUMBER}/?$", views.oncall_edit),
    re_path(rf"^oncall/appointments/{NUMBER}/(?P<deed>cancel|vanish)/?$", views.oncall_deed),
    re_path(rf"^emr/{KIND}/?$", views.emr_create),
    re_path(rf"^emr/{KIND}/{RID}/?$", views.emr_edit),
    re_path(rf"^emr/{KIND}/{RID}/(?P<deed>cancel|delete|vanish)/?$", views.emr_deed),
]
