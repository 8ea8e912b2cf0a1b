"""The live view: a small server that reads run folders and shows them in a browser. It knows no device."""
