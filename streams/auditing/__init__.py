"""Conservation: does every transaction end exactly once? By reading topics alone, once or all the time."""
