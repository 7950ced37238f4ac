"""What reviewers see: pages rendered here, with one small script for keys."""
