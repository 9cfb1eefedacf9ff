#include "table/json_write.h"

#include <string.h>

/* RFC 8259, section 7: what cannot stand for itself. */
static bool
is_plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static void
write_escaped(struct buf *out, char c)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char byte = (unsigned char)c;
	const char control[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
	const char other[] = {'\\', c};

	/* the caller asks buf_whole */
	if (byte < 0x20)
		(void)buf_add(out, control, sizeof(control));
	else
		(void)buf_add(out, other, sizeof(other));
}

void
json_write_text(struct buf *out, const char *text)
{
	(void)buf_add(out, "\"", 1);
	while (*text) {
		size_t plain = 0;
		while (text[plain] && is_plain(text[plain]))
			plain++;
		(void)buf_add(out, text, plain);
		text += plain;
		if (*text)
			write_escaped(out, *text++);
	}
	(void)buf_add(out, "\"", 1);
}

static void
write_key(struct buf *out, const char *key)
{
	(void)buf_add(out, "\"", 1);
	(void)buf_text(out, key);
	(void)buf_add(out, "\":", 2);
}

void
json_write_member(struct buf *out, const char *key, const char *text)
{
	write_key(out, key);
	json_write_text(out, text);
	(void)buf_add(out, ",", 1);
}

void
json_write_number(struct buf *out, const char *key, uint64_t number)
{
	write_key(out, key);
	(void)buf_number(out, number);
	(void)buf_add(out, ",", 1);
}

void
json_write_open(struct buf *out, const char *key, char bracket)
{
	if (key)
		write_key(out, key);
	(void)buf_add(out, &bracket, 1);
}

void
json_write_end(struct buf *out)
{
	/* what did not fit ends anywhere */
	if (!out->over && out->length && out->data[out->length - 1] == ',')
		out->data[--out->length] = '\0';
}

void
json_write_close(struct buf *out, char bracket)
{
	const char end[] = {bracket, ','};

	json_write_end(out);
	(void)buf_add(out, end, sizeof(end));
}
