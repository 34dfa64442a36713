"""What the command line tells a user who made a mistake.

UserError      one sentence: what, why, how to mend; exit code 2 and no traceback
"""


class UserError(Exception):
    """A mistake that the user can mend; its text is the sentence they read."""
