"""Displays: screens on a wall that show the figures of one area without a login."""
