-- Products sold together: the 20 pairs that most sold orders contain, and how strongly they attract
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
--
-- `percent` of the orders with the first product also contain the second. `lift` is how many times
-- more often they occur together than if they were chosen independently.
SELECT sku, other_sku, orders_with_both, orders_with_sku, orders_with_other_sku, percent, lift
FROM (
  SELECT
    *,
    CAST(100 * CAST(orders_with_both AS double) / orders_with_sku AS decimal(5, 1)) AS percent,
    CAST(
      CAST(orders_with_both AS double) * orders / (orders_with_sku * orders_with_other_sku)
      AS decimal(18, 2)
    ) AS lift,
    row_number() OVER (ORDER BY orders_with_both DESC, sku, other_sku) AS place
  FROM (
    -- A product paired with itself counts the orders that contain it.
    SELECT
      *,
      max(CASE WHEN sku = other_sku THEN orders_with_both END) OVER (PARTITION BY sku)
        AS orders_with_sku,
      max(CASE WHEN sku = other_sku THEN orders_with_both END) OVER (PARTITION BY other_sku)
        AS orders_with_other_sku
    FROM (
      SELECT sku, other_sku, max(orders) AS orders, count(*) AS orders_with_both
      FROM (
        SELECT array_agg(DISTINCT sku) AS skus, count(*) OVER () AS orders
        FROM (
          SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
          FROM order_lines
        )
        WHERE sold AND sku IS NOT NULL
          AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
          AND coalesce(region, '') LIKE ?
        GROUP BY order_id
      )
      CROSS JOIN UNNEST(skus) AS first_product(sku)
      CROSS JOIN UNNEST(skus) AS second_product(other_sku)
      WHERE sku <= other_sku
      GROUP BY sku, other_sku
    )
  )
  WHERE sku < other_sku
)
WHERE place <= 20
ORDER BY place
