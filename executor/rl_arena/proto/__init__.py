"""Generated from the files in proto/ by gen.sh; only this file is kept in the tree."""
