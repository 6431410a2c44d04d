"""PCM to meaning to PCM: turn-taking and conversation, without sockets or model libraries."""
