"""Tests of the front: real PostgreSQL, the real program."""
