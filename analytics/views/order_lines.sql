-- The lines of every order's last image, with their amounts before discount and tax.
--
-- line_number: Position of the line in the order, from 1
-- sku: Article number of the product
-- product: Name of the product
-- category: Category of the product
-- quantity: Number of units of the product
-- unit_price: Price of one unit, in the order's currency
-- amount: quantity times unit_price, in the order's currency, before discount and tax
CREATE OR REPLACE VIEW order_lines AS
SELECT *, quantity * unit_price AS amount
FROM (
  SELECT
    order_id,
    line_number,
    json_extract_scalar(line, '$.sku') AS sku,
    json_extract_scalar(line, '$.name') AS product,
    json_extract_scalar(line, '$.category') AS category,
    TRY_CAST(regexp_extract(
      json_extract_scalar(line, '$.quantity'),
      '^[-+]?[0-9.]+([eE][-+]?[0-9]+)?\z'
    ) AS decimal(12, 3)) AS quantity,
    TRY_CAST(regexp_extract(
      json_extract_scalar(line, '$.unit_price'),
      '^[-+]?[0-9.]+([eE][-+]?[0-9]+)?\z'
    ) AS decimal(18, 4)) AS unit_price,
    currency,
    region,
    channel,
    status,
    placed_at,
    paid_at,
    customer_id,
    sold,
    removed,
    changed_at
  FROM orders
  CROSS JOIN UNNEST(TRY(CAST(json_parse(items) AS ARRAY(JSON)))) WITH ORDINALITY
    AS t(line, line_number)
)
