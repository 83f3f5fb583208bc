"""A proxy in front of one S3 server that logs every request and can do what bad servers and networks do."""
