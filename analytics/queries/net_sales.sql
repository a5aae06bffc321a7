-- Net sales by month of payment and currency: gross sales less discounts and refunds
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
--
-- Before shipping and tax. Gross sales are the subtotals of all orders that were paid; refunds are
-- what was paid for those that were cancelled or returned since, whenever that was. Test orders and
-- orders without a readable subtotal do not count.
SELECT
  date_trunc('month', paid_day) AS month,
  currency,
  count(*) AS orders,
  CAST(sum(subtotal) AS decimal(38, 2)) AS gross_sales,
  CAST(sum(discount) AS decimal(38, 2)) AS discounts,
  count_if(refunded) AS refunded_orders,
  CAST(sum(CASE WHEN refunded THEN subtotal - discount ELSE 0 END) AS decimal(38, 2)) AS refunds,
  CAST(sum(CASE WHEN refunded THEN 0 ELSE subtotal - discount END) AS decimal(38, 2)) AS net_sales
FROM (
  SELECT
    CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day,
    currency,
    region,
    subtotal,
    coalesce(discount, 0) AS discount,
    cancelled_at IS NOT NULL OR returned_at IS NOT NULL AS refunded
  FROM orders
  WHERE paid_at IS NOT NULL AND subtotal IS NOT NULL AND NOT coalesce(test_order, false)
)
WHERE paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND coalesce(region, '') LIKE ?
GROUP BY date_trunc('month', paid_day), currency
ORDER BY month, currency
