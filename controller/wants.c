#include "controller/wants.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "table/key.h"

static int
compare_pods(const void *a, const void *b)
{
	return strcmp(((const struct wants_of_pod *)a)->pod, ((const struct wants_of_pod *)b)->pod);
}

struct wants
wants_make(void)
{
	return (struct wants){.pods = tree_make(compare_pods)};
}

static void
free_pod(void *item)
{
	struct wants_of_pod *pod = item;

	for (unsigned i = 0; i < pod->count; i++) {
		mem_free(pod->list[i].key);
		mem_free(pod->list[i].allocation);
	}
	mem_free(pod->list);
	mem_free(pod->pod);
	mem_free(pod);
}

void
wants_release(struct wants *wants)
{
	tree_release(&wants->pods, free_pod);
}

static struct wants_of_pod *
find(const struct wants *wants, const char *pod)
{
	scoped_free char *copy = mem_text(pod);
	struct wants_of_pod wanted = {.pod = copy};

	return tree_find(&wants->pods, &wanted);
}

static int
compare_wants(const void *a, const void *b)
{
	return strcmp(((const struct want *)a)->key, ((const struct want *)b)->key);
}

static struct want *
find_key(const struct wants_of_pod *pod, const char *key)
{
	for (unsigned i = 0; i < pod->count; i++)
		if (strcmp(pod->list[i].key, key) == 0)
			return &pod->list[i];
	return NULL;
}

static void
add(struct wants_of_pod *pod, const char *key, const char *allocation)
{
	pod->list = mem_resize(pod->list, pod->count + 1, sizeof(*pod->list));
	pod->list[pod->count++] =
	    (struct want){.key = mem_text(key), .allocation = mem_text(allocation)};
	qsort(pod->list, pod->count, sizeof(*pod->list), compare_wants);
}

char *
wants_put(struct wants *wants, const char *key, const char *allocation)
{
	char *name = key_pod_path(key);

	if (!name)
		return NULL;
	struct wants_of_pod *pod = find(wants, name);
	if (!pod) {
		pod = mem_new(1, sizeof(*pod));
		pod->pod = mem_text(name);
		(void)tree_add(&wants->pods, pod);
	}
	struct want *want = find_key(pod, key);
	if (want) {
		mem_free(want->allocation);
		want->allocation = mem_text(allocation);
	} else {
		add(pod, key, allocation);
	}
	return name;
}

char *
wants_drop(struct wants *wants, const char *key)
{
	char *name = key_pod_path(key);
	struct wants_of_pod *pod = name ? find(wants, name) : NULL;
	struct want *want = pod ? find_key(pod, key) : NULL;

	if (!want)
		return name;
	mem_free(want->key);
	mem_free(want->allocation);
	unsigned behind = pod->count - (unsigned)(want - pod->list) - 1;
	memmove(want, want + 1, behind * sizeof(*want));
	if (--pod->count == 0) {
		(void)tree_remove(&wants->pods, pod);
		free_pod(pod);
	}
	return name;
}

const struct wants_of_pod *
wants_find(const struct wants *wants, const char *pod)
{
	return find(wants, pod);
}

const struct wanted *
wants_row(const struct arbiter *arbiter, const struct want *want,
    const struct holding **ret_holding)
{
	const struct holding *holding = arbiter_find(arbiter, want->allocation);

	for (unsigned i = 0; holding && i < holding->row_count; i++)
		if (holding->rows[i].granted && strcmp(holding->rows[i].key, want->key) == 0) {
			*ret_holding = holding;
			return &holding->rows[i];
		}
	return NULL;
}
