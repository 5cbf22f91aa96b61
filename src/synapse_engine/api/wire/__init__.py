"""The wire: what `/api/*` takes and gives. Times in seconds, memory in MB (10^6 bytes), instants in RFC 3339.

Fields may be added, never changed. Requests reject unknown fields.
"""
