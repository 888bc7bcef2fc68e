"""Who may log in, how, and how often."""

from settings.env import env_int

AUTH_USER_MODEL = "shop.Customer"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "shop.hashers.Argon2",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",  # what was kept before
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_FORMS = {
    name: f"shop.account_forms.{form}"
    for name, form in {
        "login": "LoginForm",
        "signup": "SignupForm",
        "reset_password": "ResetPasswordForm",
        "reset_password_from_key": "ResetPasswordKeyForm",
        "change_password": "ChangePasswordForm",
        "set_password": "SetPasswordForm",
    }.items()
}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Offices and mobile carriers put many shoppers behind one address; guessing a password is
# limited by allauth's default for failed log-ins: 10 a minute from one address, 5 in 5 minutes
# for one account. allauth counts those of one address one after the other, and refuses whoever
# would wait a second for that: from a region 100 ms from the primary, more than some three at once.
ACCOUNT_RATE_LIMITS = {"login": "120/m/ip", "signup": "60/m/ip"}
# How many proxies of ours append to X-Forwarded-For before a request arrives here.
ALLAUTH_TRUSTED_PROXY_COUNT = env_int("TRUSTED_PROXY_COUNT", 1)
ACCOUNT_SESSION_REMEMBER = True
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "orders:account"
ACCOUNT_LOGOUT_REDIRECT_URL = "shop:home"
