"""Wire to PCM and back: RTP, codecs, jitter, pacing, recording; no AI, HTTP or signalling."""
