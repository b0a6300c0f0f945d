"""Backup and restore: `python -m tools.backup make|check|restore` (docs/guide/backup.md).

A backup is a folder with the database, every file that its rows name, and a manifest; the keys go into another folder,
because both together are the personal data in clear.
"""
