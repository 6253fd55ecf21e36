"""The agent image: a parent process serves proto/agent.proto, a child process runs the author's code."""
