"""Tests of the practice systems, over real sockets."""
