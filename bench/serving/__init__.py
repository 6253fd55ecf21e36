"""What the benches of the front share: its servers, what is in their database, who asks them and how fast."""
