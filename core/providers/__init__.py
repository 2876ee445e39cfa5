"""Companies whose API makes pictures, one folder each."""
