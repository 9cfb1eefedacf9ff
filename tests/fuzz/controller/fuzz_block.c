/* Whatever the API server sends as a StaticIPBlock: what is taken reads back the same when
 * it is written, its entries lie in it, and what is refused is never written over. */
#include <assert.h>
#include <json-c/json.h>
#include <stdint.h>
#include <string.h>

#include "controller/ledger_text.h"
#include "core/mem.h"
#include "table/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_said(void *cookie, const char *text)
{
	(void)cookie;
	assert(text);
}

static void
on_dirty(void *cookie, struct block *block)
{
	(void)cookie;
	(void)block;
}

static void
release(struct block_text *text)
{
	for (unsigned i = 0; i < text->count; i++)
		held_release(&text->entries[i]);
	mem_free(text->entries);
	mem_free(text->domain);
}

static void
reads_back(const char *name, const struct block_text *text)
{
	char *copy = mem_text(name);
	const struct block block = {.name = copy, .domain = text->domain, .cidr = text->cidr};
	scoped_json *object = block_encode(&block, text->entries, text->count);
	struct block_text again;

	for (unsigned i = 0; i < text->count; i++)
		assert(cidr_contains(&text->cidr, &text->entries[i].ip));
	assert(block_decode(name, object, &again, NULL) == 0);
	assert(again.count == text->count && cidr_equal(&again.cidr, &text->cidr));
	for (unsigned i = 0; i < text->count; i++)
		assert(ip_equal(&again.entries[i].ip, &text->entries[i].ip) &&
		    strcmp(again.entries[i].uid, text->entries[i].uid) == 0 &&
		    !again.entries[i].node == !text->entries[i].node);
	release(&again);
	mem_free(copy);
}

static void
observe(const char *name, struct json_object *object, const struct ip *ip, bool readable)
{
	static const struct ledger_events events = {on_said, on_said, on_dirty};
	struct ledger *ledger = ledger_new(&events, NULL);
	const struct claim claim = {.ip = *ip, .uid = "a pod that comes", .pod = "ns/p"};

	for (int i = 0; i < 2; i++) {
		assert((ledger_observe(ledger, name, object, 0, NULL) == 0) == readable);
		struct block *block = ledger_block_named(ledger, name);
		assert(block && block->unreadable != readable);
		(void)ledger_claim(ledger, block, &claim);
		ledger_release(ledger, block, "u", true);
		scoped_json *next = ledger_next(block, "2026-01-01T00:00:00Z");
		assert(readable || !next);
	}
	assert(ledger_observe(ledger, name, NULL, 0, NULL) == 0);
	assert(ledger_count(ledger) == 0);
	ledger_free(ledger);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_json *object = NULL;
	struct block_text text;
	struct cidr cidr;

	if (json_parse((const char *)data, size, "object", &object, NULL) || !object)
		return 0;
	const char *domain = json_path_text(object, "spec.domain");
	const char *range = json_path_text(object, "spec.cidr");
	if (!range || cidr_parse(range, strlen(range), &cidr, NULL) || !domain)
		(void)cidr_parse("10.0.2.0/26", strlen("10.0.2.0/26"), &cidr, NULL);
	/* the name that it should have: else little would pass */
	scoped_free char *name = block_name(domain ? domain : "network/net", &cidr);
	int rc = block_decode(name, object, &text, NULL);
	observe(name, object, &cidr.ip, rc == 0);
	if (rc)
		return 0;
	reads_back(name, &text);
	release(&text);
	return 0;
}
