"""A small OpenWISP, as its documentation sets one up: for the tests alone."""

from celery import Celery

# Without a worker: a task is done where it is asked for, so that what it does is done by then.
tasks = Celery("controller")
tasks.config_from_object("django.conf:settings", namespace="CELERY")
tasks.autodiscover_tasks()
