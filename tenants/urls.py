"""Pages on which people come in. They stand before the admin's own and take the place of some of the same address."""

from __future__ import annotations

from django.urls import path

from tenants.sign_in import account, views

app_name = "sign_in"
urlpatterns = [
    path("login/", views.PasswordStep.as_view(), name="password"),
    path("login/code/", views.CodeStep.as_view(), name="code"),
    path("login/second-factor/", views.EnrolStep.as_view(), name="enrol"),
    path("confirm/", account.confirm, name="confirm"),
    path("account/", account.account, name="account"),
    path("account/recovery-codes/", account.codes, name="codes"),
    path("account/authenticator/", account.replace, name="replace"),
    path("password_change/", account.change_password, name="change_password"),
    path("set-password/", account.PasswordLink.as_view(), name="password_link"),
    path("set-password/<uidb64>/", account.SetPassword.as_view(), {"token": "of-session"}, name="set_password"),
]
