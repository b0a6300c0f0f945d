"""`make doctor`: looks at a running installation and says in plain words what is wrong (docs/guide/operating.md)."""
