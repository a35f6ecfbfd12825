// What dfc_dot_carry makes of so many terms: an element of the inputs with a bit of its weight each.

// Rows that add three numbers leave two of the pairs of terms.
function automatic int unsigned carry_levels(int unsigned terms);
  int unsigned left = (terms + 1) / 2, levels = 0;
  while (left > 2) begin
    left = (left + 2) / 3;
    levels++;
  end
  return levels;
endfunction

// What sums are off by, to be added to each, as all negative bits of terms are complemented; modulo any power of two up to 2**64.
function automatic logic [63:0] carry_constants(int unsigned products, int unsigned xbits, bit xsigned, int unsigned wbits, bit wsigned);
  logic [63:0] found = '0;
  for (int unsigned j = 0; j < wbits; j++) begin
    for (int unsigned i = 0; i < xbits; i++) begin
      if ((wsigned && j == wbits - 1) != (xsigned && i == xbits - 1)) found -= 64'(products) << (i + j);
    end
  end
  return found;
endfunction
