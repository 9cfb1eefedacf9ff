/* The least that a C program can be: what any plugin's call costs before it does
 * anything. Built by the bare compiler, -O2 -static, without our flags. */
int
main(void)
{
	return 0;
}
