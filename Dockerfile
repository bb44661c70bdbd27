# One image for the web, worker and beat containers; docker-compose.yml gives each its command (those of Procfile).
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=connector.settings
WORKDIR /app

# The lock first: a change of our code does not install the packages again.
COPY requirements-build.txt requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-build.txt \
    && pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: --no-binary sly \
       --no-build-isolation --use-pep517 -r requirements.txt

COPY manage.py ./
COPY connector connector
COPY tenants tenants
COPY syncjobs syncjobs
COPY templates templates
COPY static static

# Production settings refuse to load without these names; collecting files uses none of the values, and none of them
# is in the image afterwards.
RUN SECRET_KEY=unused FERNET_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= DATABASE_URL=postgres://unused/unused \
    BROKER_URL=redis://unused ALLOWED_HOSTS=unused python manage.py collectstatic --no-input

RUN useradd --system --uid 10001 --home-dir /app connector
USER connector

EXPOSE 8000
CMD ["gunicorn", "connector.wsgi", "--workers", "2", "--threads", "4", "--access-logfile", "-"]
