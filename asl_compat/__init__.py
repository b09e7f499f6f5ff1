"""The way back to AWS: the machines as Step Functions definitions, with their Lambda handlers and SAM template."""
