"""What the trials of the clients share: where the service is, and one line of JSON for everything that was tried.

Environment: KARRI_ENDPOINT (`http://host:port/v1/PROJECT`), KARRI_PROJECT, KARRI_TOKEN, KARRI_AUTH (the strategy).
"""
import contextlib
import io
import json
import os
import sys
import time
import traceback

ENDPOINT = os.environ['KARRI_ENDPOINT']
PROJECT = os.environ['KARRI_PROJECT']
TOKEN = os.environ['KARRI_TOKEN']
AUTH = os.environ['KARRI_AUTH']
NOBODY = '00000000-0000-4000-8000-000000000000'
DIRECTORY = 'Host::Directory'
PATTERN = 'BEGIN:VEVENT\nRRULE:FREQ=DAILY;BYHOUR=2;BYMINUTE=0;\nEND:VEVENT'
# Commas and equals signs part the members of the commands' lists, so what they send is a crontab.
CRONTAB = 'format=crontab,pattern=0 2 * * *,start_time=2040-01-01 00:00:00'

_report = sys.stdout


def _say(name, outcome, reason=''):
    print(json.dumps({'name': name, 'outcome': outcome, 'reason': reason}), file=_report, flush=True)


def passes(name, call, check=None):
    """Calls, and gives what came of it; None when it failed. `check` says whether the answer is right."""
    try:
        found = call()
        if check is not None and not check(found):
            raise AssertionError('the answer is not as expected: %r' % (found,))
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        _say(name, 'failed', '%s: %s (%s:%d)' % (type(error).__name__, error, where.filename, where.lineno))
        return None
    _say(name, 'passed')
    return found


def refuses(name, kind, call):
    """What the service has to refuse, so that the client raises just this."""
    def check():
        try:
            call()
        except Exception as error:
            assert type(error).__name__ == kind, '%s instead of %s: %s' % (type(error).__name__, kind, error)
            return True
        raise AssertionError('nothing was raised')
    passes(name, check)


def broken(name, reason, text, call):
    """What cannot work with any service, because of the client itself: it has to end with this text."""
    try:
        call()
    except BaseException as error:
        told = '%s: %s' % (type(error).__name__, error)
        if text in told:
            return _say(name, 'broken', reason)
        return _say(name, 'failed', 'was thought to be broken, but in another way: %s' % told)
    _say(name, 'failed', 'was thought to be broken, but works')


def complete(name, known, tried):
    """Every one that the client has was tried."""
    passes(name, lambda: sorted(set(known) - set(tried)), lambda left: left == [])


def wait_for(get_status, busy):
    """Asks until the status is another one, and gives that."""
    end = time.monotonic() + 120
    while True:
        status = get_status()
        if status != busy or time.monotonic() > end:
            return status
        time.sleep(0.2)


class CommandFailed(Exception):
    pass


def run_main(main, argv):
    """Runs a program's own entry point in this process (to start each command anew takes seconds); gives what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(argv)
        except SystemExit as end:
            code = end.code
    if code not in (None, 0):
        raise CommandFailed('%s %s' % (out.getvalue(), err.getvalue()))
    return out.getvalue()
