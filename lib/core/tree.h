/* A sorted set of pointers, over libc's balanced tsearch(3). The caller's
 * compare function decides which two are the same; the tree owns only its
 * nodes, never what they point to. */
#ifndef CORE_TREE_H
#define CORE_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct tree {
	void *root;
	int (*compare)(const void *, const void *);
	size_t count;
};

struct tree tree_make(int (*compare)(const void *, const void *));
/* The item equal to key, or NULL. */
void *tree_find(const struct tree *tree, const void *key);
/* Adds item. Returns NULL, or the equal item that is there already (then item
 * is not added). */
void *tree_add(struct tree *tree, void *item);
/* Takes the item equal to key out and returns it; NULL when there is none. */
void *tree_remove(struct tree *tree, const void *key);
/* Calls visit for each item in order. visit must not change the tree. */
void tree_walk(const struct tree *tree, void (*visit)(void *item, void *cookie),
    void *cookie);
/* All items in order, as an array of tree->count (mem_free): for loops that
 * change the tree on the way. */
void **tree_items(const struct tree *tree);
/* Frees the nodes, and each item by free_item unless that is NULL. */
void tree_release(struct tree *tree, void (*free_item)(void *));

#endif
