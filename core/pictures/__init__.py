"""Pictures in (checked, upright, stripped, fitted), masks, recipes, diagrams. No I/O."""
