"""Sources: other systems that hand reports in by machine (12345, cameras, mailboxes) and hear of their progress.

What they may do, the keys they prove themselves with, and the statuses they are still owed.
"""
