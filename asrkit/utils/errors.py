"""The one exception for things a user can mend."""


class InputError(ValueError):
    """Bad input: the message names the file, key or utterance and what to do.

    Commands print the message alone, without a traceback, and end with status 2.
    """
