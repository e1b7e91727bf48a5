.PHONY: fmt lint test build
fmt lint test build:
	@npm run --silent $@
