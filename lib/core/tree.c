#include "core/tree.h"

#include <search.h>

#include "core/mem.h"

struct tree
tree_make(int (*compare)(const void *, const void *))
{
	return (struct tree){.compare = compare};
}

void *
tree_find(const struct tree *tree, const void *key)
{
	void **node = tfind(key, &tree->root, tree->compare);

	return node ? *node : NULL;
}

void *
tree_add(struct tree *tree, void *item)
{
	void *found = tree_find(tree, item);

	if (found)
		return found;
	if (!tsearch(item, &tree->root, tree->compare))
		mem_exhausted();
	tree->count++;
	return NULL;
}

void *
tree_remove(struct tree *tree, const void *key)
{
	void *found = tree_find(tree, key);

	if (!found)
		return NULL;
	(void)tdelete(key, &tree->root, tree->compare);
	tree->count--;
	return found;
}

struct walk {
	void (*visit)(void *item, void *cookie);
	void *cookie;
};

static void
walk_node(const void *node, VISIT when, void *closure)
{
	const struct walk *walk = closure;

	/* postorder is libc's word for the in-order visit of an inner node */
	if (when == postorder || when == leaf)
		walk->visit(*(void *const *)node, walk->cookie);
}

void
tree_walk(const struct tree *tree, void (*visit)(void *item, void *cookie), void *cookie)
{
	struct walk walk = {.visit = visit, .cookie = cookie};

	twalk_r(tree->root, walk_node, &walk);
}

struct collect {
	void **items;
	size_t count;
};

static void
collect_item(void *item, void *cookie)
{
	struct collect *collect = cookie;

	collect->items[collect->count++] = item;
}

void **
tree_items(const struct tree *tree)
{
	struct collect collect = {.items = mem_new(tree->count, sizeof(void *))};

	tree_walk(tree, collect_item, &collect);
	return collect.items;
}

static void
keep(void *item)
{
	(void)item;
}

void
tree_release(struct tree *tree, void (*free_item)(void *))
{
	tdestroy(tree->root, free_item ? free_item : keep);
	tree->root = NULL;
	tree->count = 0;
}
