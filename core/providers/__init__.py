"""Companies with an API that makes pictures, one folder each."""
