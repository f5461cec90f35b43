"""Webhook subscriptions: the calls that manage them, and the delivery of notifications."""
