"""Staff screens. A view is permission, form, one stage call, page or redirect."""
