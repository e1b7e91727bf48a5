.PHONY: fmt lint test build soak
fmt lint test build soak:
	@npm run --silent $@
