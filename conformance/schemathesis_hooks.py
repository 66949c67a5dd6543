"""What is left out of the requests that schemathesis makes."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    """A shutdown that succeeds ends the hub under test: only bodies that must be refused are sent."""
    if case.operation.path != "/shutdown" or case.method != "POST":
        return True
    body = case.body
    if case.media_type != "application/json" or not isinstance(body, dict):
        return False
    return any(isinstance(body.get(key), str) for key in ("proxy", "servers"))
