"""Pictures in (checked, upright, stripped, fitted), masks, recipes, and the pictures we draw ourselves. No I/O."""
