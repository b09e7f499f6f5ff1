"""One Lambda handler a file; the functions of both machines."""
